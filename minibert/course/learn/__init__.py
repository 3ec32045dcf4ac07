"""What a learner calls: check, hint, solution, quiz, progress, findings."""
