//! A llama of two layers, with weights that a seed makes: what it says makes no sense, and is the same each time.

use candle_core::{DType, Device, Result, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::llama::{Cache, Config, Llama};
use std::collections::HashMap;

const VOCABULARY: usize = 64;
const WIDTH: usize = 32;
const INNER: usize = 48;
const LAYERS: usize = 2;
const HEADS: usize = 4;
const KV_HEADS: usize = 2;
const LONGEST: usize = 96;

/// A model.
#[derive(Debug)]
pub struct TinyLlama {
    model: Llama,
    config: Config,
    device: Device,
}

/// Numbers that look like chance: xorshift, whose state is never zero.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> f32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 40) as f32 / (1_u64 << 24) as f32 - 0.5
    }

    fn weights(&mut self, shape: (usize, usize), device: &Device) -> Result<Tensor> {
        let scale = 3.0 / (shape.1 as f32).sqrt();
        let numbers = (0..shape.0 * shape.1).map(|_| self.next() * scale);
        Tensor::from_vec(numbers.collect::<Vec<f32>>(), shape, device)
    }
}

impl TinyLlama {
    /// The one that this seed makes.
    ///
    /// # Errors
    /// When candle cannot make it.
    pub fn seeded(seed: u64) -> Result<Self> {
        let device = Device::Cpu;
        let config = Config {
            hidden_size: WIDTH,
            intermediate_size: INNER,
            vocab_size: VOCABULARY,
            num_hidden_layers: LAYERS,
            num_attention_heads: HEADS,
            num_key_value_heads: KV_HEADS,
            use_flash_attn: false,
            rms_norm_eps: 1e-5,
            rope_theta: 10_000.0,
            bos_token_id: None,
            eos_token_id: None,
            rope_scaling: None,
            max_position_embeddings: LONGEST,
            tie_word_embeddings: false,
        };
        let mut chance = Chance(seed | 1);
        let mut tensors = HashMap::new();
        let kv = WIDTH / HEADS * KV_HEADS;
        for layer in 0..LAYERS {
            let parts = [
                ("self_attn.q_proj", (WIDTH, WIDTH)),
                ("self_attn.k_proj", (kv, WIDTH)),
                ("self_attn.v_proj", (kv, WIDTH)),
                ("self_attn.o_proj", (WIDTH, WIDTH)),
                ("mlp.gate_proj", (INNER, WIDTH)),
                ("mlp.up_proj", (INNER, WIDTH)),
                ("mlp.down_proj", (WIDTH, INNER)),
            ];
            for (part, shape) in parts {
                let name = format!("model.layers.{layer}.{part}.weight");
                tensors.insert(name, chance.weights(shape, &device)?);
            }
            for norm in ["input_layernorm", "post_attention_layernorm"] {
                let name = format!("model.layers.{layer}.{norm}.weight");
                tensors.insert(name, Tensor::ones(WIDTH, DType::F32, &device)?);
            }
        }
        for name in ["model.embed_tokens.weight", "lm_head.weight"] {
            let weights = chance.weights((VOCABULARY, WIDTH), &device)?;
            tensors.insert(name.to_owned(), weights);
        }
        let norm = Tensor::ones(WIDTH, DType::F32, &device)?;
        tensors.insert("model.norm.weight".to_owned(), norm);
        let weights = VarBuilder::from_tensors(tensors, DType::F32, &device);
        let model = Llama::load(weights, &config)?;
        Ok(Self {
            model,
            config,
            device,
        })
    }

    /// How many tokens prompt and answer can have together.
    pub fn longest(&self) -> usize {
        LONGEST
    }

    /// A sequence that begins with this prompt.
    ///
    /// # Errors
    /// When candle has no room for its cache.
    pub fn begin(&self, prompt: &[u32]) -> Result<Sequence> {
        let cache = Cache::new(true, DType::F32, &self.config, &self.device)?;
        Ok(Sequence {
            cache,
            held: 0,
            unread: prompt.to_vec(),
        })
    }

    /// What follows on the whole of a text, read without a cache.
    ///
    /// # Errors
    /// When candle cannot compute it.
    pub fn follows(&self, text: &[u32]) -> Result<u32> {
        let mut cache = Cache::new(false, DType::F32, &self.config, &self.device)?;
        self.most_likely(text, 0, &mut cache)
    }

    fn most_likely(&self, tokens: &[u32], from: usize, cache: &mut Cache) -> Result<u32> {
        let input = Tensor::new(tokens, &self.device)?.unsqueeze(0)?;
        let likely = self.model.forward(&input, from, cache)?;
        likely.squeeze(0)?.argmax(0)?.to_scalar::<u32>()
    }
}

/// A text that the model goes on with, and what it keeps of it: keys and values of each token.
#[derive(Debug)]
pub struct Sequence {
    cache: Cache,
    held: usize,
    unread: Vec<u32>,
}

impl Sequence {
    /// Reads what is unread (the prompt at first, then the last token) and says the next token.
    ///
    /// # Errors
    /// When candle cannot compute it: for one, if the text grows too long.
    pub fn advance(&mut self, model: &TinyLlama) -> Result<u32> {
        let token = model.most_likely(&self.unread, self.held, &mut self.cache)?;
        self.held += self.unread.len();
        self.unread = vec![token];
        Ok(token)
    }

    /// Of how many tokens the cache holds keys and values.
    pub fn held(&self) -> usize {
        self.held
    }
}
