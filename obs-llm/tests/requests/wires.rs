//! Requests as the providers' references have them.

use super::told::check;
use obs_llm::wire::Wire;

#[test]
fn openai_chat() {
    check(
        Wire::OpenAiChat,
        r#"{"messages":[{"role":"user","content":[{"type":"text","text":"model"}],"model":"none","stream":true}],
            "model":"gpt-4o","frequency_penalty":0.5,"presence_penalty":-1,"temperature":0.7,"top_p":1,"top_k":40,
            "max_completion_tokens":256,"n":2,"seed":-7,"stop":["\n\n","END"],"stream":true,
            "stream_options":{"include_usage":true},"service_tier":"flex","reasoning_effort":"low",
            "response_format":{"type":"json_schema","json_schema":{"name":"x","schema":{"type":"object","model":"none"}}},
            "modalities":["text","audio"],"tools":[{"type":"function","function":{"name":"f","parameters":{"seed":1}}}],
            "metadata":{"model":"none","n":9}}"#,
        &[
            "model gpt-4o",
            "frequency_penalty 0.5",
            "presence_penalty -1",
            "temperature 0.7",
            "top_p 1",
            "top_k 40",
            "max_tokens 256",
            "choice_count 2",
            "seed -7",
            "stop_sequence \n\n",
            "stop_sequence END",
            "stream true",
            "include_usage true",
            "service_tier flex",
            "reasoning_level low",
            "output_type json",
            "output_type speech",
        ],
    );
}

#[test]
fn openai_in_other_words() {
    check(
        Wire::OpenAiChat,
        r#"{"model":"meta-llama\/Llama-3.1-8B","max_tokens":16.0,"stop":"\u0041\ud83d\ude00","stream":false,
            "reasoning":{"effort":"high","exclude":true},"response_format":{"type":"text"},"modalities":["image","text"]}"#,
        &[
            "model meta-llama/Llama-3.1-8B",
            "max_tokens 16",
            "stop_sequence A\u{1f600}",
            "stream false",
            "reasoning_level high",
            "output_type text",
            "output_type image",
        ],
    );
    check(
        Wire::OpenAiChat,
        r#"{"model":"x","reasoning":{"max_tokens":2000}}"#,
        &["model x", "reasoning_level 2000"],
    );
}

#[test]
fn openai_embeddings_and_text_completions() {
    check(
        Wire::OpenAiChat,
        r#"{"input":["model","n"],"model":"text-embedding-3-small","encoding_format":"base64","dimensions":256}"#,
        &[
            "model text-embedding-3-small",
            "encoding_format base64",
            "dimensions 256",
        ],
    );
    check(
        Wire::OpenAiChat,
        r#"{"model":"gpt-3.5-turbo-instruct","prompt":"Say","max_tokens":7,"temperature":0,"logprobs":null,"stop":null}"#,
        &[
            "model gpt-3.5-turbo-instruct",
            "max_tokens 7",
            "temperature 0",
        ],
    );
}

#[test]
fn openai_responses() {
    check(
        Wire::OpenAiResponses,
        r#"{"input":[{"role":"user","content":"hi","model":"none"}],"model":"gpt-5","max_output_tokens":1000,
            "reasoning":{"effort":"medium","summary":"auto"},"text":{"format":{"type":"json_schema","name":"x"},"verbosity":"low"},
            "previous_response_id":"resp_1","conversation":"conv_1","stream":true,"service_tier":"priority",
            "temperature":1,"top_p":0.9,"tools":[{"type":"web_search"}]}"#,
        &[
            "model gpt-5",
            "max_tokens 1000",
            "reasoning_level medium",
            "output_type json",
            "previous_response resp_1",
            "conversation conv_1",
            "stream true",
            "service_tier priority",
            "temperature 1",
            "top_p 0.9",
        ],
    );
    check(
        Wire::OpenAiResponses,
        r#"{"conversation":{"id":"conv_2","model":"none"},"model":"gpt-5"}"#,
        &["conversation conv_2", "model gpt-5"],
    );
}

#[test]
fn anthropic() {
    check(
        Wire::AnthropicMessages,
        r#"{"model":"claude-opus-4-5","max_tokens":2048,"system":[{"type":"text","text":"model"}],
            "thinking":{"type":"enabled","budget_tokens":1024},"stop_sequences":["END","}"],"stream":true,"temperature":1.0,
            "top_k":5,"top_p":0.7,"service_tier":"standard_only","metadata":{"user_id":"u"},
            "messages":[{"role":"user","content":[{"type":"text","text":"hi","max_tokens":1}]}]}"#,
        &[
            "model claude-opus-4-5",
            "max_tokens 2048",
            "reasoning_level 1024",
            "stop_sequence END",
            "stop_sequence }",
            "stream true",
            "temperature 1",
            "top_k 5",
            "top_p 0.7",
            "service_tier standard_only",
        ],
    );
    check(
        Wire::AnthropicMessages,
        r#"{"thinking":{"type":"adaptive"},"output_config":{"effort":"high","format":{"type":"json_schema","schema":{}}}}"#,
        &["reasoning_level high", "output_type json"],
    );
}

#[test]
fn gemini() {
    check(
        Wire::Gemini,
        r#"{"contents":[{"parts":[{"text":"seed"}],"role":"user","seed":1}],"safetySettings":[{"category":"X"}],
            "generationConfig":{"stopSequences":["Title"],"temperature":1.0,"maxOutputTokens":800,"topP":0.8,"topK":10,
            "candidateCount":2,"seed":42,"frequencyPenalty":0.1,"presencePenalty":0.2,"responseMimeType":"application/json",
            "responseSchema":{"type":"OBJECT","properties":{"seed":{"type":"STRING"}}},
            "thinkingConfig":{"thinkingBudget":512,"includeThoughts":true}}}"#,
        &[
            "stop_sequence Title",
            "temperature 1",
            "max_tokens 800",
            "top_p 0.8",
            "top_k 10",
            "choice_count 2",
            "seed 42",
            "frequency_penalty 0.1",
            "presence_penalty 0.2",
            "output_type json",
            "reasoning_level 512",
        ],
    );
    check(
        Wire::Gemini,
        r#"{"generation_config":{"max_output_tokens":9,"response_modalities":["TEXT","IMAGE"],"stop_sequences":["x"],
            "thinking_config":{"thinking_level":"low"},"candidate_count":1,"response_mime_type":"text/plain"}}"#,
        &[
            "max_tokens 9",
            "output_type image",
            "stop_sequence x",
            "reasoning_level low",
            "choice_count 1",
            "output_type text",
        ],
    );
    check(
        Wire::Gemini,
        r#"{"model":"models/gemini-embedding-001","content":{"parts":[{"text":"x"}]},"outputDimensionality":768}"#,
        &["dimensions 768"],
    );
}

#[test]
fn ollama_streams_unless_it_is_told_not_to() {
    check(
        Wire::Ollama,
        r#"{"model":"llama3.2","messages":[{"role":"user","content":"hi","stream":false}],"think":"high","format":"json",
            "options":{"seed":101,"temperature":0.1,"top_p":0.9,"top_k":20,"num_predict":100,"stop":["\n","user:"],
            "frequency_penalty":1.0,"presence_penalty":1.5}}"#,
        &[
            "model llama3.2",
            "reasoning_level high",
            "output_type json",
            "seed 101",
            "temperature 0.1",
            "top_p 0.9",
            "top_k 20",
            "max_tokens 100",
            "stop_sequence \n",
            "stop_sequence user:",
            "frequency_penalty 1",
            "presence_penalty 1.5",
            "stream true",
        ],
    );
    check(
        Wire::Ollama,
        r#"{"stream":false,"think":true,"model":"m","format":{"type":"object"},"options":{"num_predict":-1}}"#,
        &["stream false", "model m", "output_type json"],
    );
    // Without all of it, nobody knows.
    check(Wire::Ollama, r#"{"model":"m","options":{}"#, &["model m"]);
}

#[test]
fn ollama_does_not_stream_embeddings() {
    for input in [r#""why""#, r#"["why","how"]"#] {
        let request = format!(r#"{{"model":"all-minilm","input":{input},"dimensions":32}}"#);
        check(
            Wire::Ollama,
            &request,
            &["model all-minilm", "dimensions 32"],
        );
    }
}

#[test]
fn bedrock_converse() {
    check(
        Wire::BedrockConverse,
        r#"{"messages":[{"role":"user","content":[{"text":"hi"}]}],
            "inferenceConfig":{"maxTokens":512,"stopSequences":["END"],"temperature":0.5,"topP":0.9},
            "additionalModelRequestFields":{"top_k":200,"thinking":{"type":"enabled","budget_tokens":2000}},
            "serviceTier":{"type":"flex"},"performanceConfig":{"latency":"optimized"},
            "toolConfig":{"tools":[{"toolSpec":{"name":"x","inputSchema":{"json":{"maxTokens":1}}}}]}}"#,
        &[
            "max_tokens 512",
            "stop_sequence END",
            "temperature 0.5",
            "top_p 0.9",
            "top_k 200",
            "reasoning_level 2000",
            "service_tier flex",
        ],
    );
}

#[test]
fn bedrock_invoke_has_the_words_of_each_model() {
    let wire = Wire::BedrockInvoke;
    check(
        wire,
        r#"{"anthropic_version":"bedrock-2023-05-31","max_tokens":100,"messages":[{"role":"user","content":"hi"}],
            "thinking":{"budget_tokens":1024},"stop_sequences":["x"],"top_k":3}"#,
        &[
            "max_tokens 100",
            "reasoning_level 1024",
            "stop_sequence x",
            "top_k 3",
        ],
    );
    check(
        wire,
        r#"{"inputText":"hi","textGenerationConfig":{"maxTokenCount":8,"temperature":0,"topP":1,"stopSequences":["|"]}}"#,
        &[
            "max_tokens 8",
            "temperature 0",
            "top_p 1",
            "stop_sequence |",
        ],
    );
    check(
        wire,
        r#"{"prompt":"hi","max_gen_len":512,"temperature":0.5,"top_p":0.9}"#,
        &["max_tokens 512", "temperature 0.5", "top_p 0.9"],
    );
    check(
        wire,
        r#"{"messages":[],"inferenceConfig":{"max_new_tokens":300,"topK":20,"stopSequences":["y"]}}"#,
        &["max_tokens 300", "top_k 20", "stop_sequence y"],
    );
    check(
        wire,
        r#"{"prompt":"hi","max_tokens":200,"stop":["z"],"p":0.1,"k":5}"#,
        &["max_tokens 200", "stop_sequence z", "top_p 0.1", "top_k 5"],
    );
    check(
        wire,
        r#"{"inputText":"hi","dimensions":512,"normalize":true}"#,
        &["dimensions 512"],
    );
}
