"""From text and environment to frozen values. Knows neither Twisted nor any runtime object."""
