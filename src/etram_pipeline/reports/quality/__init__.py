"""What a person should know of recordings and labels before training on them."""
