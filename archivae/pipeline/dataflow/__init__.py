"""Jobs on Google Cloud Dataflow: what they run on, what is refused before submission, how far a running one is."""
