"""One call, request to cards: what the patient's facts say, in which words, and what is kept of it."""
