"""What a hostile program tries from inside the job container: escapes, the kernel's doors, credentials, ways out.

These files run in the container, as the agent: ``run.py`` takes JSON about the world outside, and the names of probes
where not all are wanted. A probe is a function that returns when it reached something, and raises when it was denied.
"""
