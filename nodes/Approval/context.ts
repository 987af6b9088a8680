import { Failure } from '../../lib/failure';
import type { ContextQuestion } from '../declaration';
import { controlsOf } from '../shared/controls';
import type { ApprovalContext } from './operation';

export async function approvalContext({ execute, itemIndex }: ContextQuestion): Promise<ApprovalContext> {
  const { store, planKey } = await controlsOf(execute, itemIndex);
  if (store !== undefined && planKey !== undefined) return { store, planKey };
  throw new Failure({
    code: 'approval_credentials_missing',
    subject: 'Approval node',
    message: 'The Approval node needs the credentials State (PostgreSQL) and Plan Key',
    nextStep: 'Choose the same ones as in the nodes whose calls are to be approved.',
  });
}
