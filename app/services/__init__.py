"""What Rollcall does: owns transactions, the fleet, the attempt loop and the checker."""
