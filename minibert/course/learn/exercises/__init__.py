"""The declarations of the exercises and quizzes: one file a chapter."""
