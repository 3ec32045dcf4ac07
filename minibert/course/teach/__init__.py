"""What a teacher needs: release, grade, bundle."""
