"""The rules by which a simulated fleet lives, one module each: boot, members, stuck, shared, quorum, capacity, power, rebuild."""
