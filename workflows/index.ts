/** The workflow types, as the bundle exports them. */
export { agentWorkflow } from './agent';
export { deliveryWorkflow } from './delivery';
export { hibernationWorkflow } from './hibernation';
export { notifyWorkflow } from './notify';
export { priceWatchWorkflow } from './price-watch';
export { replicaWorkflow } from './replica';
export { resumptionWorkflow } from './resumption';
export { retirementWorkflow } from './retirement';
export { switchWorkflow } from './switch';
