"""Writing stored recordings as the pictures and boxes that other projects train on."""
