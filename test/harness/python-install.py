"""Makes a private Python environment: python3 -I python-install.py REQUIREMENTS FOLDER

FOLDER appears whole, by a rename, or not at all. Installs at the same time wait for each other (the lock is the
kernel's, so it goes with its holder), and what an interrupted one left is removed. Uses the standard library only, and
neither ensurepip nor pip need be there, which some systems package apart. Lines on stdout are for the person who waits.
"""

import fcntl
import glob
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import venv

PIP_WHEEL = (
    "https://files.pythonhosted.org/packages/de/f0/c81e05b613866b76d2d1066490adf1a3dbc4ee9d9c839961c3fc8a6997af/"
    "pip-26.0.1-py3-none-any.whl"
)
PIP_WHEEL_SHA256 = "bdb1b08f4274833d62c1aa29e20907365a2ceb950410df15fc9521bad440122b"


def main(requirements, folder):
    parent = os.path.dirname(folder)
    os.makedirs(parent, exist_ok=True)
    with open(folder + ".lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Waiting for another run that is installing the tests' Python packages ...")
            fcntl.flock(lock, fcntl.LOCK_EX)
        if works(folder):
            return
        for left in [folder, *glob.glob(glob.escape(folder) + ".unfinished-*")]:
            shutil.rmtree(left, ignore_errors=True)
        say("Installing moto, boto3 and the AWS CLI for the tests (60 MB, about half a minute, once for this machine) ...")
        started = time.monotonic()
        unfinished = tempfile.mkdtemp(prefix=os.path.basename(folder) + ".unfinished-", dir=parent)
        try:
            install(requirements, unfinished, lock)
            os.rename(unfinished, folder)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
        say("  installed in %.0f s; kept in %s" % (time.monotonic() - started, folder))


def install(requirements, folder, lock):
    venv.create(folder, with_pip=False, symlinks=True)
    python = python_of(folder)
    site_packages = subprocess.check_output(
        [python, "-I", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], text=True
    ).strip()
    command = [*find_pip(folder), "install", "--quiet", "--no-compile", "--target", site_packages]
    # All that will be there is in the lock, by its hash, and nothing is built or run during the install.
    command += ["--require-hashes", "--no-deps", "--only-binary", ":all:", "--requirement", requirements]
    # A person's pip may be told to install elsewhere; which index to use is theirs to say.
    own = {"PIP_USER": "0", "PIP_REQUIRE_VIRTUALENV": "0", "PIP_ROOT_USER_ACTION": "ignore", "PIP_TARGET": site_packages}
    env = {**os.environ, **own, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    # pip holds the lock as well: should it outlive a kill of this script, the next install waits for its end.
    subprocess.run(command, check=True, env=env, pass_fds=[lock.fileno()])
    # Fails here, while nothing is kept, if a package does not load; also compiles what every later start loads.
    subprocess.run([python, "-I", "-c", "import moto.server, moto.ec2.models, boto3, awscli.clidriver"], check=True)


def find_pip(folder):
    """A command that runs some pip under this interpreter, whose packages will fit the environment's."""
    with_own = [sys.executable, "-m", "pip"]
    if succeeds([*with_own, "--version"]):
        return with_own
    wheel = os.path.join(folder, os.path.basename(PIP_WHEEL))
    with urllib.request.urlopen(PIP_WHEEL, timeout=60) as answer, open(wheel, "wb") as file:
        content = answer.read()
        if hashlib.sha256(content).hexdigest() != PIP_WHEEL_SHA256:
            raise SystemExit("%s is not the file it should be." % PIP_WHEEL)
        file.write(content)
    return [sys.executable, os.path.join(wheel, "pip")]


def works(folder):
    return succeeds([python_of(folder), "-I", "-c", "import encodings"])


def succeeds(command):
    try:
        return subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0
    except OSError:
        return False


def python_of(folder):
    return os.path.join(folder, "bin", "python")


def say(line):
    print(line, flush=True)


try:
    main(sys.argv[1], os.path.abspath(sys.argv[2]))
except subprocess.CalledProcessError as error:
    # What the command itself printed says why.
    sys.exit("%s ended with exit code %d." % (" ".join(error.cmd[:4]), error.returncode))
except urllib.error.URLError as error:
    sys.exit("There is no pip here, and fetching one from %s failed: %s." % (PIP_WHEEL, error.reason))
