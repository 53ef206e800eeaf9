"""RT-DETR: the network of transformers in parts, its losses, and the memory between them."""
