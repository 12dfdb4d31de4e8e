"""The JSON that the API answers: one shape and one builder for each resource.

The shapes are what mypy checks the builders by and what the OpenAPI document shows.
"""
