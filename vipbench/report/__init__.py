"""Things to look at: pictures of predictions beside the ground truth."""
