"""What the sensor tells: transactions, detections, events and figures, as plain objects. They import no numpy."""
