"""One participant in one conference: join, roster, events and control; calls, presentation, DTMF."""
