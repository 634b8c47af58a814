"""Hands: ssh, local, net. A plugin shelf."""
