"""What an author of knowledge runs: try a patient, run the cases, check everything."""
