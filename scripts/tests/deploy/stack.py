"""The stack: built and deployed by sam as a user would, and what it holds."""

import platform

from processes import run

# What one deploys for on a machine of this kind, so that the machine itself can run it.
ARCHITECTURE = "arm64" if platform.machine() in ("aarch64", "arm64") else "x86_64"


def build(tools, project, directory, environment):
    """Builds the function as for AWS and returns the template that deploys it."""
    built = project / "target" / "sam"
    command = [tools / "sam", "build", "--build-dir", built, "--parameter-overrides", f"Architecture={ARCHITECTURE}"]
    run(command, directory / "build.log", cwd=project, env=environment)
    return built / "template.yaml"


class Stack:
    """A stack by its name."""

    def __init__(self, name, sam, template, directory, environment, client):
        self.name = name
        self.sam = sam
        self.template = template
        self.directory = directory
        self.environment = environment
        self.client = client

    def deploy(self, **parameters):
        """Creates the stack, or updates it; parameters that are not given keep their values."""
        given = [f"{name}={value}" for name, value in {"Architecture": ARCHITECTURE, **parameters}.items()]
        self.run(
            "deploy",
            "--template-file",
            self.template,
            "--resolve-s3",
            "--capabilities",
            "CAPABILITY_IAM",
            "--parameter-overrides",
            *given,
        )

    def delete(self):
        """Deletes the stack."""
        self.run("delete", "--no-prompts")

    def run(self, verb, *arguments):
        # A samconfig.toml of the user's is for other stacks.
        command = [self.sam, verb, "--stack-name", self.name, "--config-env", "deploy-test", *arguments]
        log = self.directory / f"{verb}-{self.name}.log"
        # Not in the project's folder: sam takes a template that stands there.
        run(command, log, cwd=self.directory, env=self.environment)

    def outputs(self):
        """The stack's outputs by their names."""
        (stack,) = self.client.describe_stacks(StackName=self.name)["Stacks"]
        return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}

    def resources(self):
        """The names that AWS gave to the stack's resources, by their names in the template."""
        resources = self.client.describe_stack_resources(StackName=self.name)["StackResources"]
        return {resource["LogicalResourceId"]: resource["PhysicalResourceId"] for resource in resources}

    def exists(self):
        """Whether there is such a stack."""
        stacks = self.client.describe_stacks()["Stacks"]
        return any(stack["StackName"] == self.name and stack["StackStatus"] != "DELETE_COMPLETE" for stack in stacks)
