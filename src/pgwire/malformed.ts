/** Bytes that are not what the PostgreSQL protocol allows here. The only thing a decoder of this folder throws. */
export class Malformed extends Error {
  readonly sqlstate: string;

  /** `sqlstate`: protocol_violation, where it is nothing else. */
  constructor(message: string, sqlstate = '08P01') {
    super(message);
    this.sqlstate = sqlstate;
    this.name = 'Malformed';
  }
}
