"""Export of stored recordings as pictures and boxes for training in other projects."""
