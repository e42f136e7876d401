"""Certificates of a lab: an authority, and one certificate for each host and for the program under
test. RSA: libvirt wants certificates that permit key encipherment, which those of elliptic curves do
not."""
import datetime
import shutil

from .base import NET_ADDRESS, run

CLIENT = "daemon"  # whose certificate programs in the lab's network use

# Where libvirt looks, for its own connections and for QEMU's: below /etc/pki.
PLACES = {"libvirt": ("CA/cacert.pem", "libvirt/servercert.pem", "libvirt/private/serverkey.pem",
                      "libvirt/clientcert.pem", "libvirt/private/clientkey.pem"),
          "qemu": ("qemu/ca-cert.pem", "qemu/server-cert.pem", "qemu/server-key.pem",
                   "qemu/client-cert.pem", "qemu/client-key.pem")}


def template(path, words):
    """A certtool template."""
    path.write_text("".join(f"{line}\n" for line in words), encoding="ascii")
    return path


def make_key(path):
    """A private key."""
    run(["certtool", "--generate-privkey", "--key-type", "rsa", "--bits", "2048", "--outfile",
         path])
    path.chmod(0o600)


def make_authority(lab):
    """The lab's own authority, which signs everything else."""
    lab.pki.mkdir()
    make_key(lab.pki / "ca.key")
    words = template(lab.pki / "ca.template", [f'cn = "lab {lab.name}"', "ca", "cert_signing_key",
                                               "expiration_days = 3650"])
    run(["certtool", "--generate-self-signed", "--load-privkey", lab.pki / "ca.key", "--template",
         words, "--outfile", lab.pki / "ca.pem"])


def sign(lab, owner, names, address, seconds=10 * 365 * 86400):
    """A certificate that is valid for so long; (certificate, key)."""
    key, certificate = lab.pki / f"{owner}.key", lab.pki / f"{owner}.pem"
    if not key.exists():
        make_key(key)
    now = datetime.datetime.now(datetime.timezone.utc)
    until = now + datetime.timedelta(seconds=seconds)
    form = "%Y-%m-%d %H:%M:%S UTC"
    words = [f'cn = "{owner}"', *[f'dns_name = "{n}"' for n in names],
             f'ip_address = "{address}"', "tls_www_server", "tls_www_client", "signing_key",
             "encryption_key", f'activation_date = "{now - datetime.timedelta(hours=1):{form}}"',
             f'expiration_date = "{until:{form}}"']
    run(["certtool", "--generate-certificate", "--load-privkey", key, "--load-ca-certificate",
         lab.pki / "ca.pem", "--load-ca-privkey", lab.pki / "ca.key", "--template",
         template(lab.pki / f"{owner}.template", words), "--outfile", certificate])
    return certificate, key


def install(lab, directory, certificate, key, kinds=("libvirt", "qemu")):
    """Put the files where libvirt and QEMU look, below a directory that becomes /etc/pki."""
    for kind in kinds:
        authority, *pairs = PLACES[kind]
        for place, source in zip([authority, *pairs],
                                 [lab.pki / "ca.pem", certificate, key, certificate, key]):
            (directory / place).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, directory / place)


def equip_client(lab):
    """The certificate of what runs in the lab's network."""
    install(lab, lab.pki / "etc-pki", *sign(lab, CLIENT, ["lab"], NET_ADDRESS))


def equip(host, seconds=10 * 365 * 86400, kinds=("libvirt", "qemu")):
    """The certificate of a host; its libvirtd reads it when it starts."""
    install(host.lab, host.dir / "etc-pki",
            *sign(host.lab, host.name, [host.name], host.address, seconds), kinds)
