"""What a person sees of a run: the page, the contact sheet, the film."""
