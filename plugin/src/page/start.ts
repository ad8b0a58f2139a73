/** Where the page begins. */
export const START = '/explore?explorer=PersAI-PersAIExplorer';
