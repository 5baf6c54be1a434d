"""The trained weights that come with vipbench; CARD.md says how they were made."""
