/** Bytes that are not what the PostgreSQL protocol allows here. The only thing a decoder of this folder throws. */
export class Malformed extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'Malformed';
  }
}
