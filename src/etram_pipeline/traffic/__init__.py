"""From tracks to traffic: what passes where, when and how fast."""
