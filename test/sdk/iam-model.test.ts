import { describe, expect, it } from 'vitest';
import { createIamService } from '../../src/http/services/iam.ts';
import type { Iam } from '../../src/iam/iam.ts';
import type { Members } from '../../src/iam/input.ts';
import { inputDifferences, loadServiceModel } from './service-model.ts';

const model = loadServiceModel('iam', '2010-05-08');
const service = createIamService({} as Iam);

/** Undefined for what is not supported. */
function membersOf(name: string): Members | undefined {
  const target = `/?Action=${name}&Version=2010-05-08`;
  try {
    return service.ask({ method: 'GET', target, headers: [], body: Buffer.alloc(0) }).operation.input;
  } catch {
    return undefined;
  }
}

describe.skipIf(!model)('the parameters of each operation', () => {
  // A marker may be longer, since that behind the longest tag key is.
  it('are those of the service model, with the same constraints', () => {
    const found = Object.entries(model!).flatMap(([name, { input }]) => {
      const ours = membersOf(name);
      return ours ? inputDifferences(input, ours, name) : [];
    });
    const markers = found.filter((difference) => difference.endsWith('.Marker has max 1024'));
    expect(markers.length).toBeGreaterThan(20);
    expect(found.filter((difference) => !markers.includes(difference))).toEqual([
      'ListServiceSpecificCredentials.AllUsers is not supported',
      'SimulateCustomPolicy.ResourceHandlingOption is not supported',
      'SimulatePrincipalPolicy.ResourceHandlingOption is not supported',
      'UpdateAccessKey.Status has enum Active,Inactive',
    ]);
  });
});
