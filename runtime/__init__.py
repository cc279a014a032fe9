"""What every process stands on: settings, Kafka clients, logs and counters, the local broker."""
