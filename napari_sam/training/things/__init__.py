"""Things that photographs show: forms, looks, and how they are put together and painted."""
