"""What the anyrank ranker and joiner for Haystack share."""
