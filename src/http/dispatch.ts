import type { IncomingMessage } from 'node:http';
import type { Log } from '../audit/log.ts';
import type { Authority, Identity, KeyRing } from '../iam/identity.ts';
import { checkInput } from '../iam/input.ts';
import type { KeyUses } from '../iam/key-uses.ts';
import { denialText } from '../iam/policy/denial.ts';
import { Refused } from '../refused.ts';
import { parseRequestClaim, type RequestClaim } from '../sigv4/request.ts';
import { authenticate } from './authenticate.ts';
import { faultOf, internalFault } from './errors.ts';
import type { HttpAnswer, Need, Protocol, Service } from './operation.ts';
import { queryProtocol } from './protocols/query.ts';
import { REST_JSON } from './protocols/rest-json.ts';
import { readRequest } from './read.ts';

export interface DispatchDeps {
  keys: KeyRing;
  authority: Authority;
  keyUses: KeyUses;
  /** By the name that a credential scope has for them. */
  services: Readonly<Record<'iam' | 'sts' | 'dsql', Service>>;
  region: string;
  log: Log;
  now(): Date;
  /** A UUID. */
  newRequestId(): string;
}

export interface Dispatched extends HttpAnswer {
  requestId: string;
}

/** What is known of a call so far: a line of the log, whatever became of it. Never a body, a secret or a token. */
interface Call {
  requestId: string;
  source: string | undefined;
  method: string | undefined;
  service?: string;
  operation?: string;
  accessKeyId?: string;
  caller?: string;
}

export type Dispatch = (incoming: IncomingMessage) => Promise<Dispatched>;

/** One call from its bytes to its answer. Rejects only when the client has gone away. */
export function createDispatch(deps: DispatchDeps): Dispatch {
  return async (incoming) => {
    const started = deps.now().getTime();
    const requestId = deps.newRequestId();
    const call: Call = { requestId, source: incoming.socket.remoteAddress, method: incoming.method };
    let protocol = protocolOf(incoming.url ?? '');
    const done = (status: number) => ({ ...call, status, ms: deps.now().getTime() - started });

    try {
      const request = await readRequest(incoming);
      const claim = parseRequestClaim(request);
      if (!claim) throw new Refused('missing-authentication', { detail: 'the request is not signed' });
      call.accessKeyId = claim.accessKeyId.slice(0, 128);
      const service = serviceOf(deps, claim);
      if (service) protocol = service.protocol;

      const caller = authenticate(deps.keys, claim, deps.now());
      call.caller = caller.arn;
      if (!service) throw wrongScope(deps, claim);
      call.service = claim.service;
      deps.keyUses.note(claim.accessKeyId, { at: deps.now(), service: claim.service, region: claim.region });

      const asked = service.ask(request);
      call.operation = asked.name;
      const input = checkInput(asked.operation.input, asked.input);
      authorise(deps.authority, caller, asked.operation.needs(input, caller));
      const output = await asked.operation.run(input, caller);

      const answer = protocol.answer(asked.name, output, requestId);
      deps.log.info(done(answer.status), 'api call');
      return { ...answer, requestId };
    } catch (error) {
      const fault = faultOf(error, protocol.kind);
      if (fault) {
        const { kind, detail } = error as Refused;
        deps.log.info({ ...done(fault.status), code: fault.code, kind, detail }, 'api call refused');
        return { ...protocol.fault(fault, requestId), requestId };
      }
      if (incoming.errored || !incoming.complete) throw error;
      deps.log.error({ ...done(500), err: error }, 'api call failed: this is a bug');
      return { ...protocol.fault(internalFault(protocol.kind, requestId), requestId), requestId };
    }
  };
}

/** The scope names the service. DSQL's clusters live in one region; IAM is global, and STS answers in every region. */
function serviceOf(deps: DispatchDeps, { service, region }: RequestClaim): Service | undefined {
  if (service === 'iam' || service === 'sts') return deps.services[service];
  return service === 'dsql' && region === deps.region ? deps.services.dsql : undefined;
}

function wrongScope(deps: DispatchDeps, { service, region }: RequestClaim): Refused<'scope-mismatch'> {
  const say =
    service === 'dsql'
      ? `Credential should be scoped to a valid region. Clusters of this server are in ${deps.region}.`
      : "Credential should be scoped to correct service: 'iam', 'sts' or 'dsql'.";
  return new Refused('scope-mismatch', { say, detail: `the credential scope names ${service} in ${region}` });
}

/** Throws Refused `action-denied` unless all is allowed. */
function authorise(authority: Authority, caller: Identity, needs: readonly Need[]): void {
  for (const need of needs) {
    const decision = authority.decide(caller, { ...need, context: {} });
    if (decision.allowed) continue;
    throw new Refused('action-denied', {
      say: denialText(caller.arn, need, decision),
      detail: decision.because,
    });
  }
}

/** How to answer a request of which no more is known than its target. */
function protocolOf(target: string): Protocol {
  return /^\/(?:clusters?|stream|tags)(?:[/?]|$)/.test(target) ? REST_JSON : queryProtocol();
}
