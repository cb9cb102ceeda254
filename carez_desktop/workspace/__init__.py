"""What the person sees, as observable state without any toolkit."""
