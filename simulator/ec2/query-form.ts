/** The parameters of a request in the query protocol, from its address and its form. */
import type { RawRequest } from '../services/service';
import { Ec2Error } from './errors';
import { QueryParameters } from './query-parameters';

/** @throws Ec2Error when it is neither POST nor GET, or names a parameter twice. */
export function readForm({ method, query, body }: RawRequest): QueryParameters {
  switch (method) {
    case 'GET':
      return QueryParameters.parse(query);
    case 'POST':
      return QueryParameters.parse([query, body.trim()].filter(Boolean).join('&'));
    default:
      throw new Ec2Error('InvalidRequest', `The method ${method} is not allowed; use POST or GET.`, 405);
  }
}
