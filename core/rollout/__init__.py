"""A purified model is taken into use in stages: shadow, a share of the traffic, all of it; with a rule for on and back.

``core.rollout.service.Rollout`` answers for a service. Importing this package pulls in nothing heavy.
"""
