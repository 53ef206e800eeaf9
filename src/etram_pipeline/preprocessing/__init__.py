"""Labels filtered and recordings encoded."""
