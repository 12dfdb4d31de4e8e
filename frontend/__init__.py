"""The pages: Flask and Jinja over the registry's API, reached by HTTP only."""
