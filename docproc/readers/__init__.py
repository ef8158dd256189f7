"""A folder for each reader, and what they share: ink, the vote, the confidence."""
