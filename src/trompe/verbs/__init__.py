"""What people ask for, each a plain function with the name of its command."""
