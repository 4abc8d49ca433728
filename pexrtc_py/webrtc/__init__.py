"""Packets: ICE, DTLS and SRTP by aiortc; negotiation, RTP, RTCP, time and statistics by us."""
