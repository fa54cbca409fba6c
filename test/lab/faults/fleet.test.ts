/** Several real hosts and the program as it is delivered: what a rollout does when a host, the runner or the plan fails it. */
