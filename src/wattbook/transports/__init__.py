"""Move bytes: serial ports, TCP, RFC 2217, MQTT; and play conversations on them."""
