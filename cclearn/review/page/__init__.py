"""The review page: HTML that the server renders, one script and one stylesheet."""
