//! OpenAI's answers, and the scanner's heart: what they tell, however they are cut, and whatever is not JSON in them.

mod corpus;
mod events;
mod hostile;
mod openai;
mod oracle;
mod properties;
mod size;
