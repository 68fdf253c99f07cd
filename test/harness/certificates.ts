/** Certificates for servers on 127.0.0.1, by an authority that only a test trusts. */
import forge from 'node-forge';

export interface TestCertificates {
  /** PEM of the authority. */
  authority: string;
  key: string;
  cert: string;
}

export function testCertificates(): TestCertificates {
  const authority = certificate('spotkeeper test authority', null);
  const server = certificate('localhost', authority);
  return {
    authority: forge.pki.certificateToPem(authority.certificate),
    key: forge.pki.privateKeyToPem(server.keys.privateKey),
    cert: forge.pki.certificateToPem(server.certificate),
  };
}

interface Issued {
  certificate: forge.pki.Certificate;
  keys: forge.pki.rsa.KeyPair;
}

function certificate(name: string, issuer: Issued | null): Issued {
  const keys = forge.pki.rsa.generateKeyPair(2048);
  const made = forge.pki.createCertificate();
  made.publicKey = keys.publicKey;
  made.serialNumber = issuer ? '02' : '01';
  made.validity.notBefore = new Date(Date.now() - 3_600_000);
  made.validity.notAfter = new Date(Date.now() + 3_600_000);
  const subject = [{ name: 'commonName', value: name }];
  made.setSubject(subject);
  made.setIssuer(issuer ? issuer.certificate.subject.attributes : subject);
  made.setExtensions(
    issuer
      ? [
          {
            name: 'subjectAltName',
            altNames: [
              { type: 2, value: 'localhost' },
              { type: 7, ip: '127.0.0.1' },
            ],
          },
        ]
      : [{ name: 'basicConstraints', cA: true }],
  );
  made.sign((issuer?.keys ?? keys).privateKey, forge.md.sha256.create());
  return { certificate: made, keys };
}
