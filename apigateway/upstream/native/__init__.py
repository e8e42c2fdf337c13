"""The native way to a target: HTTP/1.1 connections of our own."""
