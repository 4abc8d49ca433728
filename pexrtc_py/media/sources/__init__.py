"""Where frames come from: files, devices, generators, speech, programs. Each is a `Source`."""
