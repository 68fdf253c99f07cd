/** The workflow types, as the bundle exports them. */
export { agentWorkflow } from './agent';
export { retirementWorkflow } from './retirement';
export { switchWorkflow } from './switch';
