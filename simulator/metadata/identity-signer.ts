/**
 * The signatures of instance identity documents. AWS signs with keys of its own, whose certificates its users pin; this
 * cloud makes a key and a certificate once a state folder, keeps both, and shows the certificate.
 */
import { createSign, generateKeyPairSync, randomBytes } from 'node:crypto';
import forge from 'node-forge';
import type { Books } from '../books/books';
import type { SigningKey } from '../books/settings';

const VALID_YEARS = 100;

export class IdentitySigner {
  readonly #key: SigningKey;
  readonly #certificate: forge.pki.Certificate;
  readonly #forgeKey: forge.pki.rsa.PrivateKey;

  constructor(key: SigningKey) {
    this.#key = key;
    this.#certificate = forge.pki.certificateFromPem(key.certificate);
    this.#forgeKey = forge.pki.privateKeyFromPem(key.privateKey);
  }

  /** The one that the books hold, or a new one in them. */
  static of(books: Books): IdentitySigner {
    const kept = books.get('signingKey', 'identity');
    if (kept) return new IdentitySigner(kept);
    const made = makeKey();
    books.commit(books.position, [['signingKey', 'identity', made]]);
    return new IdentitySigner(made);
  }

  /** PEM: what its users pin. */
  get certificate(): string {
    return this.#key.certificate;
  }

  /** `signature`: RSA and SHA-256 over the document, in base64 of lines as AWS breaks them. */
  signature(document: string): string {
    return lines(createSign('RSA-SHA256').update(document).sign(this.#key.privateKey, 'base64'));
  }

  /** `pkcs7` and `rsa2048`: signed data that holds the document but no certificate, in base64 without a header. */
  signedData(document: string): string {
    const message = forge.pkcs7.createSignedData();
    message.content = forge.util.createBuffer(document, 'utf8');
    message.addSigner({
      key: this.#forgeKey,
      certificate: this.#certificate,
      digestAlgorithm: forge.pki.oids['sha256'] as string,
      authenticatedAttributes: [
        { type: forge.pki.oids['contentType'] as string, value: forge.pki.oids['data'] as string },
        { type: forge.pki.oids['messageDigest'] as string },
      ],
    });
    message.sign();
    return lines(forge.util.encode64(forge.asn1.toDer(message.toAsn1()).getBytes()));
  }
}

function makeKey(): SigningKey {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs1', format: 'pem' },
  });
  const certificate = forge.pki.createCertificate();
  certificate.publicKey = forge.pki.publicKeyFromPem(publicKey);
  // A leading 0 keeps the number positive.
  certificate.serialNumber = `0${randomBytes(16).toString('hex').slice(1)}`;
  certificate.validity.notBefore = new Date(0);
  certificate.validity.notAfter = new Date(Date.UTC(1970 + VALID_YEARS, 0, 1));
  const name = [
    { name: 'countryName', value: 'US' },
    { name: 'organizationName', value: 'Simulated cloud' },
    { name: 'commonName', value: 'Instance identity documents of a simulated cloud' },
  ];
  certificate.setSubject(name);
  certificate.setIssuer(name);
  certificate.sign(forge.pki.privateKeyFromPem(privateKey), forge.md.sha256.create());
  return { privateKey, certificate: forge.pki.certificateToPem(certificate).replaceAll('\r\n', '\n') };
}

function lines(base64: string): string {
  return base64.match(/.{1,64}/g)?.join('\n') ?? '';
}
