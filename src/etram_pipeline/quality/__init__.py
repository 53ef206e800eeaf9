"""What is wrong with recordings and labels."""
